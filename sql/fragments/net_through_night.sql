-- Net usage of an account m of account_moves, as of opening and closing.
m.net_before AS net_opening, m.net_before + m.taken + m.usage - m.credit_backs + m.late_net AS net_closing
