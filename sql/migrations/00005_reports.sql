-- +goose Up
-- A handful of figures per night, so that thirty nights of trends and the index of all nights cost what thirty nights of figures
-- cost, and not the rows behind them.
CREATE TABLE reconciler.night_figures (
    business_date date    NOT NULL,
    measure       text    NOT NULL,
    unit          text    NOT NULL DEFAULT '',
    value         numeric NOT NULL,
    PRIMARY KEY (business_date, measure, unit)
);
COMMENT ON TABLE reconciler.night_figures IS 'Figures of each reported night, as its summary.json has them: read by trends and by the index page.';
