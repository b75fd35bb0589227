"""The screens: the debugger, the list of scenarios, a bad scenario, help, the step prompt."""
