insert into arrived select n, n * 10 from generate_series(4, 6) n;
