package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/term"
)

// maxPassphrase is the largest passphrase file that is read, in bytes: a file that is larger is another file.
const maxPassphrase = 4096

// Passphrase returns a function that gets a passphrase: from the named file if there is one, else from
// COUNTERSIGN_PASSPHRASE (MESSENGER_PASSPHRASE), else by showing the prompt on the terminal and reading
// without echo. With none of the three it is a usage error. The line end after a passphrase is not part
// of it. The function may be called several times, for several keys.
func (a *App) Passphrase(file string) func(prompt string) ([]byte, error) {
	return func(prompt string) ([]byte, error) {
		if file != "" {
			return readPassphrase(file)
		}
		if p := a.Getenv(a.prefix() + "_PASSPHRASE"); p != "" {
			return []byte(p), nil
		}
		in, ok := a.In.(*os.File)
		if !ok || !term.IsTerminal(int(in.Fd())) {
			return nil, Usagef("no passphrase: give --passphrase-file, set %s_PASSPHRASE, or run at a terminal", a.prefix())
		}
		fmt.Fprint(a.Err, prompt)
		p, err := readHidden(int(in.Fd()))
		fmt.Fprintln(a.Err)
		if err != nil {
			return nil, fmt.Errorf("reading the passphrase: %w", err)
		}
		if len(p) == 0 {
			return nil, Usagef("the passphrase is empty")
		}
		return p, nil
	}
}

// readHidden reads a line from a terminal without echo. Interrupted, it puts the echo back and returns an
// error; the goroutine that still reads ends with the program, which has nothing left to do.
func readHidden(fd int) ([]byte, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	defer signal.Stop(interrupted)
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		p, err := term.ReadPassword(fd)
		read <- line{p, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-interrupted:
		_ = term.Restore(fd, before) // nothing better can be done
		return nil, errors.New("interrupted")
	}
}

func readPassphrase(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, Usagef("passphrase file: %v", err)
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 || len(b) > maxPassphrase || bytes.ContainsAny(b, "\n\x00") {
		return nil, Usagef("passphrase file %s: want one line of 1 to %d bytes", file, maxPassphrase)
	}
	return b, nil
}
