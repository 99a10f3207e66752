create table orders (number text primary key, amount bigint);
