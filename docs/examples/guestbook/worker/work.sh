#!/bin/sh
# Enters letters into the book, and has the cache forget what it knows.
while true; do
  letter=$(wget -q -O - http://database:8080/cgi-bin/take) || letter=""
  if [ -n "$letter" ]; then
    wget -q -O /dev/null "http://database:8080/cgi-bin/enter?$letter"
    wget -q -O /dev/null http://cache:8080/cgi-bin/forget
    echo "entered: $letter"
  else
    sleep 1
  fi
done
