-- +goose Up
-- Requests are matched once a night, for windows and decisions alike.
TRUNCATE reconciler.request_matches;
ALTER TABLE reconciler.request_matches DROP COLUMN job;
ALTER TABLE reconciler.request_matches ADD PRIMARY KEY (account_id, business_date, request_id, purchase_id);
