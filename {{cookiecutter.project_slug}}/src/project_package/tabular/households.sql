-- Turn purchases into one row for each household and month: what it bought before the month, who
-- it is, and what it did in the 28 days from the first of the month on.
--
-- Reads the views transactions, demographics and coupon_redemptions. A household is in the table
-- of a month when it bought something in the 91 days before. Columns of the past read baskets
-- before the month only; the two outcomes read later baskets only.

CREATE TEMP TABLE baskets AS
SELECT
  household_id,
  basket_id,
  min(transaction_timestamp) AS bought_at,
  sum(CAST(sales_value AS DECIMAL(18, 2))) AS sales,  -- exact, in whatever order rows are added
  sum(CAST(retail_disc + coupon_disc + coupon_match_disc AS DECIMAL(18, 2))) AS discount
FROM transactions
GROUP BY household_id, basket_id;

CREATE TEMP TABLE months AS
SELECT unnest(generate_series(DATE '2017-04-01', DATE '2017-12-01', INTERVAL 1 MONTH)) AS month;

CREATE TEMP TABLE past AS
SELECT
  month,
  household_id,
  max(bought_at) AS last_basket,
  date_diff('day', max(bought_at), month) AS days_since_last,
  count(*) FILTER (bought_at >= month - INTERVAL 28 DAY) AS baskets_28d,
  count(*) AS baskets_91d,
  sum(sales) FILTER (bought_at >= month - INTERVAL 28 DAY) AS spend_28d,
  sum(sales) AS spend_91d,
  CAST(sum(discount) AS DOUBLE) / nullif(sum(sales) + sum(discount), 0) AS discount_share
FROM months
JOIN baskets ON bought_at >= month - INTERVAL 91 DAY AND bought_at < month
GROUP BY month, household_id;

CREATE TEMP TABLE future AS
SELECT month, household_id, sum(sales) AS spend_next_28d
FROM months
JOIN baskets ON bought_at >= month AND bought_at < month + INTERVAL 28 DAY
GROUP BY month, household_id;

CREATE TEMP TABLE redeemed AS
SELECT DISTINCT month, household_id
FROM months
JOIN coupon_redemptions ON redemption_date < month;

CREATE TEMP TABLE households AS
SELECT
  CAST(past.household_id AS VARCHAR) AS household_id,
  CAST(month AS TIMESTAMP_MS) AS month,
  CAST(last_basket AS TIMESTAMP_MS) AS last_basket,
  CAST(days_since_last AS DOUBLE) AS days_since_last,
  CAST(baskets_28d AS DOUBLE) AS baskets_28d,
  CAST(baskets_91d AS DOUBLE) AS baskets_91d,
  CAST(coalesce(spend_28d, 0) AS DOUBLE) AS spend_28d,
  CAST(spend_91d AS DOUBLE) AS spend_91d,
  round(discount_share, 4) AS discount_share,
  redeemed.household_id IS NOT NULL AS redeemed_coupon,
  age,
  income,
  home_ownership,
  marital_status,
  household_size,
  household_comp,
  kids_count,
  future.household_id IS NULL AS lapsed,
  CAST(coalesce(spend_next_28d, 0) AS DOUBLE) AS spend_next_28d
FROM past
LEFT JOIN future USING (month, household_id)
LEFT JOIN redeemed USING (month, household_id)
LEFT JOIN demographics ON demographics.household_id = past.household_id;
