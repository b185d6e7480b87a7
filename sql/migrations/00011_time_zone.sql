-- +goose Up
-- The time zone of all nights of this database, that of the first: nights of two zones overlap or leave hours out, and every row between
-- would be late or missing. A database that has nights already keeps the zone that explains them with the first night from now on.
CREATE TABLE reconciler.time_zone (
    is_only boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (is_only), -- one row, and no second
    zone    text    NOT NULL CHECK (zone <> '')
);
COMMENT ON TABLE reconciler.time_zone IS 'The time zone of business dates, by its name in the IANA database.';
