-- Turn transactions and promotions into one row for each product and week: what was sold in all
-- stores together, and what share of the product's sales is made in stores that promote it.
--
-- Reads the views transactions, products and promotions, and the variables
--   first_monday   the day on which the data's week 1 begins
--   test_weeks     how many of the last weeks may not decide which products are kept
--   most_products  how many products to keep
-- Week 1 is left out, because it has one day only. Promotions are 20.9 million rows: they are read
-- once, joined to the few products that are kept, and aggregated.

SET VARIABLE last_week = (SELECT max(week) FROM transactions);
SET VARIABLE known_until = getvariable('last_week') - getvariable('test_weeks');

-- The best-sold products, without fuel and coupons, which are counted in other units.
CREATE TEMP TABLE kept AS
SELECT product_id, lower(department) AS department, sum(quantity) AS units
FROM transactions
JOIN products USING (product_id)
WHERE week BETWEEN 2 AND getvariable('known_until')
  AND department NOT IN ('FUEL', 'MISCELLANEOUS')
  AND product_category IS DISTINCT FROM 'COUPON/MISC ITEMS'
GROUP BY product_id, department
QUALIFY row_number() OVER (ORDER BY sum(quantity) DESC, product_id) <= getvariable('most_products');

CREATE TEMP TABLE sold AS
SELECT
  product_id,
  week,
  sum(quantity) AS units,
  sum(sales_value) AS sales,  -- what the store was paid
  sum(retail_disc + coupon_match_disc) AS discount  -- what the buyers saved
FROM transactions
SEMI JOIN kept USING (product_id)
WHERE week >= 2
GROUP BY ALL;

-- A store's share of all purchases, and its weight for each product: its share of the product's
-- units, with 20 more units shared like all purchases, to smooth products with few sales.
CREATE TEMP TABLE stores AS
SELECT store_id, count(*) / sum(count(*)) OVER () AS share
FROM transactions
WHERE week BETWEEN 2 AND getvariable('known_until')
GROUP BY store_id;

CREATE TEMP TABLE weights AS
WITH own AS (
  SELECT product_id, store_id, sum(quantity) AS units
  FROM transactions
  SEMI JOIN kept USING (product_id)
  WHERE week BETWEEN 2 AND getvariable('known_until')
  GROUP BY ALL
)
SELECT
  kept.product_id,
  store_id,
  (coalesce(own.units, 0) + 20 * stores.share) / (kept.units + 20) AS weight
FROM kept
CROSS JOIN stores
LEFT JOIN own USING (product_id, store_id);

-- docs/data-card.md explains the codes.
CREATE TEMP TABLE planned AS
WITH kinds AS (
  SELECT
    product_id,
    store_id,
    week,
    bool_or(mailer_location IN ('D', 'F', 'H', 'J', 'L', 'Z')) AS ad_front,
    bool_or(mailer_location IN ('A', 'C', 'P', 'X')) AS ad_inside,
    bool_or(display_location IN ('1', '3')) AS display_front,
    bool_or(display_location IN ('2', '4', '5')) AS display_end,
    bool_or(display_location IN ('6', '7', '9', 'A')) AS display_other
  FROM promotions
  SEMI JOIN kept USING (product_id)
  GROUP BY ALL
)
SELECT
  product_id,
  week,
  sum(weight) FILTER (ad_front) AS ad_front,
  sum(weight) FILTER (ad_inside) AS ad_inside,
  sum(weight) FILTER (display_front) AS display_front,
  sum(weight) FILTER (display_end) AS display_end,
  sum(weight) FILTER (display_other) AS display_other
FROM kinds
JOIN weights USING (product_id, store_id)
GROUP BY ALL;

-- Every kept product in every week: no row means that nothing was sold, or nothing was planned.
CREATE TEMP TABLE weekly AS
SELECT
  CAST(kept.product_id AS VARCHAR) AS product_id,
  CAST(getvariable('first_monday') + 7 * (weeks.week - 1)::INTEGER AS TIMESTAMP_MS) AS week,
  kept.department,
  CAST(coalesce(sold.units, 0) AS DOUBLE) AS units,
  round(coalesce(sales, 0), 2) AS sales,
  round(coalesce(discount, 0), 2) AS discount,
  round(coalesce(ad_front, 0), 4) AS ad_front,
  round(coalesce(ad_inside, 0), 4) AS ad_inside,
  round(coalesce(display_front, 0), 4) AS display_front,
  round(coalesce(display_end, 0), 4) AS display_end,
  round(coalesce(display_other, 0), 4) AS display_other
FROM kept
CROSS JOIN range(2, getvariable('last_week') + 1) AS weeks (week)
LEFT JOIN sold USING (product_id, week)
LEFT JOIN planned USING (product_id, week);
