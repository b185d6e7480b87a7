-- Stands before and after an amount in text for people, such as 1200 eur: who shows the text writes it in the currency's decimals.
E'\x1F'
