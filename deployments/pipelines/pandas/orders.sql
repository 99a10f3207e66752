create table orders (number text, amount bigint);
