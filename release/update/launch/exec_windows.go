package launch

import (
	"os"
	"os/signal"
)

// replace starts another program in place of this one and ends with its exit code; Windows has no exec.
// Ctrl-C reaches both processes: this one ignores it and lets the other decide.
func replace(path string, argv, environ []string) error {
	signal.Ignore(os.Interrupt)
	p, err := os.StartProcess(path, argv, &os.ProcAttr{Env: environ, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		signal.Reset(os.Interrupt)
		return err
	}
	state, err := p.Wait()
	if err != nil {
		os.Exit(3)
	}
	os.Exit(state.ExitCode())
	return nil
}
