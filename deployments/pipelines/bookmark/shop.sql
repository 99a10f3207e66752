create table arrived (number int primary key, amount int);
create table orders (number int primary key, amount int);
