complete -c switchyard -f
complete -c switchyard -s c -l config -r -F -d 'the configuration'
complete -c switchyard -l check -d 'say what is wrong with the configuration and its routes'
complete -c switchyard -l version -d 'print the version'
complete -c switchyard -s h -l help -d 'print how it is used'
