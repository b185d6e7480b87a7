SELECT reconciler.analyze_tables('account_moves')
