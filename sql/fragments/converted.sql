-- x.minor by the rate at which x.all_minor is worth x.is_worth, half up: reconcile.ConvertFee is its home, and a test compares this with it.
div(2 * x.minor::numeric * x.is_worth + x.all_minor, 2 * x.all_minor::numeric)
