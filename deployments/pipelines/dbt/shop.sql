create table orders (number int primary key, day date, amount int);
