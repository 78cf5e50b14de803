import Simulation

await SimulateCommand.main()
