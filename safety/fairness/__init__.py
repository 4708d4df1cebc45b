"""Balance and its measurement: attributes and targets, the quota, statistics, classifiers of pictures.

Pure: nothing here knows a database. The ledger and the editor's decisions are in
byline.generation.fairness, reports in byline.platform.fairness.
"""
