create table orders (day text, number int, amount int);
create table loads (day text primary key);
