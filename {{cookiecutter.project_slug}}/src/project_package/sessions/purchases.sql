-- Turn transactions into one row for each type of product in a basket: who bought it, and when.
--
-- Reads the views transactions and products. Fuel and coupons are left out: nobody needs a
-- recommendation for them.

CREATE TEMP TABLE purchases AS
SELECT DISTINCT
  CAST(household_id AS VARCHAR) AS household_id,
  CAST(transaction_timestamp AS TIMESTAMP_MS) AS timestamp,
  product_type AS item
FROM transactions
JOIN products USING (product_id)
WHERE department NOT IN ('FUEL', 'MISCELLANEOUS', 'COUPON')
  AND product_category IS DISTINCT FROM 'COUPON/MISC ITEMS'
  AND product_type IS NOT NULL
  AND household_id <= getvariable('households');
