insert into orders values (6, '2026-01-05', 60);
insert into orders select n, '2026-01-06', n * 10 from generate_series(7, 10) n;
