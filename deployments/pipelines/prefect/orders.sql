create table orders (key text, amount int);
