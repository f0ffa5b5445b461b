package launch

import (
	"bufio"
	"os"
	"time"
)

// child is a working process as its parent sees it.
type child struct {
	version string // "" for the base
	watched bool   // it has yet to show that it works, and there is a version to return to
	process *os.Process
	health  *os.File      // read end
	life    *os.File      // write end
	words   chan string   // closed when no more can come
	exited  chan struct{} // closed when it has ended
	code    int           // its exit code, after that

	ready, healthy bool
}

// startChild starts path with the arguments and environment of this process and two pipes.
func (s *supervisor) startChild(version, path string, watched bool) (*child, error) {
	healthR, healthW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer healthW.Close()
	lifeR, lifeW, err := os.Pipe()
	if err != nil {
		healthR.Close()
		return nil, err
	}
	defer lifeR.Close()
	attr, health, life := inherit(healthW, lifeR)
	attr.Env = set(s.started.environ(), s.started.Program.variable("SUPERVISED"), note(s.started.world.Pid, health, life))
	process, err := os.StartProcess(path, append([]string{path}, s.started.world.Args[1:]...), attr)
	if err != nil {
		healthR.Close()
		lifeW.Close()
		return nil, err
	}
	c := &child{version: version, watched: watched, process: process, health: healthR, life: lifeW}
	c.follow()
	return c, nil
}

// maxWord bounds a line of the health pipe, in bytes.
const maxWord = 128

// follow reads the child's words and waits for its end.
func (c *child) follow() {
	c.words, c.exited = make(chan string, 16), make(chan struct{})
	go func() {
		defer close(c.words)
		lines := bufio.NewScanner(c.health)
		lines.Buffer(make([]byte, maxWord), maxWord)
		for lines.Scan() {
			select {
			case c.words <- lines.Text():
			default: // it talks faster than anybody needs
			}
		}
	}()
	go func() {
		defer close(c.exited)
		state, err := c.process.Wait()
		if err != nil {
			c.code = exitLost
			return
		}
		c.code = exitCode(state)
	}()
}

// exitLost stands for the exit code of a process that could not be waited for.
const exitLost = 3

// stop ends the child: asked first, killed after the grace. It returns the exit code.
func (c *child) stop(grace time.Duration) int {
	c.life.Close()
	defer c.health.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.exited:
		return c.code
	case <-timer.C:
	}
	_ = c.process.Kill()
	<-c.exited
	return c.code
}

// kill ends the child at once.
func (c *child) kill() {
	_ = c.process.Kill()
	c.stop(0)
}
