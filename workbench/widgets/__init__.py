"""One view per file over pure functions; notebooks and marimo apps share them.

two_clocks    what is known of each day's payments, as the calendar moves
checks        what the checks found, by column or by day
scoreboard    which faults the checks found, by fault and size
damage        what each fault cost, found or missed
lines         one quantity over days, with marks where something happened
broken_days   a shop that breaks, day by day: checks that ring, true AUC, money lost
ab_explorer   an A/B test over days: lift, intervals, looks, segments, CUPED, what to do now
ab_days       … from rows to sums a day, once; ab_verdict, ab_chart, ab_panel: words, drawing, host
planner       effect, power and traffic: how many days; planner_panel: its host
shadow_explorer  two models on the same requests: where they disagree, who was right
shadow_ground … from pairs to codes, once; shadow_chart, shadow_map, shadow_panel: drawing, host
peeking       tests watched day by day, the price of looks, what winners are worth
replay        estimators, clips and many worlds of a replay, beside the truth
leaks         which share of each feature is from the future, and the AUC that it bought
parity        where online and offline features differ, by cause
validity      how sales spread over items and hours, in a world and in real data
"""
