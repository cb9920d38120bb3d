from tsforecast.cli import main

main()
