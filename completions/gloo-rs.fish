complete --keep-order --exclusive --command gloo-rs --arguments "(COMPLETE=fish gloo-rs -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
