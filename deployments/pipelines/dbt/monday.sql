insert into orders select n, '2026-01-05', n * 10 from generate_series(1, 5) n;
