create table orders (key text primary key, amount int);
