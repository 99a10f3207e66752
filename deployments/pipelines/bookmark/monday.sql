insert into arrived select n, n * 10 from generate_series(1, 3) n;
