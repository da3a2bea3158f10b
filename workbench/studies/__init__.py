"""What crosses stages and is marked by the truth.

A study is *given* a world or a record, and a lab; it returns a small table. The truth, where the
world has one, comes in through that argument and through nothing else.

    fraud_loop       rule ─► log ─► late labels ─► model ─► A/B ─► alarm ─► retrained
    purchase_loop    what will this customer buy next, replayed on an invoice log
    both_worlds      the true effect of a policy: the same people and luck, once under each
    validity         how like real shops and cards is a world, and what does it not model?
    mutation         do the checks find what is broken on purpose? beside always-fire and never-fire
    freshness        what fresh features are worth: true AUC and money, a minute, an hour, a day old
    variety          better on paper, worse in production: a ranker that knows tastes, in many shops
    peeking_claims   how often daily peeking would have claimed a winner in given experiments
    peeking_days     A/A tests dealt on one's own log: how often would each evening have claimed?
    peeking_regret   what looking costs, by what shipping costs
    fraud_shadow     two fraud models on the same checkouts, to be looked at
    promotion_funnel  twelve challengers through every gate, marked by the truth
    day_by_day       one experiment dealt from a world played twice: its rows, and the true lifts
    replay_marks     replay of outcomes against the true value of the challenger
    open_bandit_replay  each policy of the Open Bandit data from the other's log
    damage           what each fault costs when nobody finds it: true AUC and money
    broken_days      one shop, broken on a day: what rings, what models lose, what it costs
    arena            how an A/B test is run and stopped, marked: false claims, missed ones, money
    shipped_lift     what winners were said to bring, and what they bring
    interference     what an A/B test sees when the arms share a shelf
    scorecard        the closing table: measured, interval, baseline, truth
"""
