-- Turn transactions into one row for each basket: who bought, when, for how much, of which kind; and
-- the traits of the household, where they are known.
--
-- Reads the views transactions, products and demographics. Fuel and coupons are left out, because
-- they are counted in other units, and so are baskets of nothing else.

-- A class becomes the number in its middle, or its end where it is open.
CREATE TEMP TABLE traits AS
SELECT
  household_id,
  CASE age
    WHEN '19-24' THEN 22 WHEN '25-34' THEN 30 WHEN '35-44' THEN 40
    WHEN '45-54' THEN 50 WHEN '55-64' THEN 60 WHEN '65+' THEN 65
  END AS age,
  CASE income
    WHEN 'Under 15K' THEN 15 WHEN '15-24K' THEN 20 WHEN '25-34K' THEN 30 WHEN '35-49K' THEN 42
    WHEN '50-74K' THEN 62 WHEN '75-99K' THEN 87 WHEN '100-124K' THEN 112 WHEN '125-149K' THEN 137
    WHEN '150-174K' THEN 162 WHEN '175-199K' THEN 187 WHEN '200-249K' THEN 225 WHEN '250K+' THEN 250
  END AS income,
  CAST(rtrim(household_size, '+') AS INTEGER) AS household_size,
  CAST(rtrim(kids_count, '+') AS INTEGER) AS children
FROM demographics;

CREATE TEMP TABLE bought AS
SELECT
  basket_id,
  household_id,
  transaction_timestamp AS timestamp,
  sales_value AS sales,  -- what the store was paid
  retail_disc + coupon_disc + coupon_match_disc AS discount,  -- what promotions and coupons saved
  brand = 'Private' AS is_store_brand,
  CASE
    WHEN department IN (
      'PRODUCE', 'SALAD BAR', 'MEAT', 'MEAT-PCKGD', 'SEAFOOD', 'SEAFOOD-PCKGD'
    ) THEN 'fresh'
    WHEN department IN ('DRUG GM', 'COSMETICS', 'NUTRITION') THEN 'drugstore'
  END AS kind
FROM transactions
JOIN products USING (product_id)
WHERE department NOT IN ('FUEL', 'MISCELLANEOUS', 'COUPON')
  AND product_category IS DISTINCT FROM 'COUPON/MISC ITEMS';

CREATE TEMP TABLE baskets AS
SELECT
  CAST(basket_id AS VARCHAR) AS basket_id,
  CAST(min(timestamp) AS TIMESTAMP_MS) AS timestamp,
  round(sum(sales), 2) AS sales,
  round(sum(discount), 2) AS discount,
  round(coalesce(sum(sales) FILTER (is_store_brand), 0), 2) AS store_brand,
  round(coalesce(sum(sales) FILTER (kind = 'fresh'), 0), 2) AS fresh,
  round(coalesce(sum(sales) FILTER (kind = 'drugstore'), 0), 2) AS drugstore,
  CAST(household_id AS VARCHAR) AS household_id,
  CAST(any_value(age) AS DOUBLE) AS age,
  CAST(any_value(income) AS DOUBLE) AS income,
  CAST(any_value(household_size) AS DOUBLE) AS household_size,
  CAST(any_value(children) AS DOUBLE) AS children
FROM bought
LEFT JOIN traits USING (household_id)
GROUP BY basket_id, household_id;
