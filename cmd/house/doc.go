// Package house holds the rules of the house as tests: who may import whom, which package is the door
// of which dependency, what the judging packages must not touch, and the committed list of everything
// each program is made of. It has no code of its own.
//
// After a deliberate change of dependencies run
//
//	go test ./cmd/house -update
//
// and commit the changed deps.txt, so that a new dependency is a visible line of the change.
package house
