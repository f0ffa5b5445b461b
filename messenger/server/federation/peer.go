package federation

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Peer is another server, as our operator names it.
type Peer struct {
	Name string   // what our users see behind the "@"
	URL  *url.URL // where its listener for peers is: https://host:port
	Pins []Pin    // of its key; two while it changes keys
	Limits
	// Directory: ask it for address book entries that are not found here. It then sees hashes of our users' address books, which hide
	// nothing, so that is off unless the operator says so (6.6).
	Directory bool
}

// Limits bound what a peer may cost us, in both directions.
type Limits struct {
	Requests  float64 // a second, with bursts of five seconds' worth
	Megabytes float64 // 2^20 bytes of bodies a minute, in and out counted each for itself
	AtOnce    int     // requests at the same time; an eighth of them may have bodies above 64 KiB
}

// DefaultLimits suit a peer with some ten thousand users.
func DefaultLimits() Limits { return Limits{Requests: 100, Megabytes: 600, AtOnce: 64} }

// ParsePeer reads a peer as it stands in settings: its name, URL and one or two pins, then what differs from the defaults:
//
//	chat.example.net https://chat.example.net:8443 sha256:… requests=100 megabytes=600 at-once=64 directory
func ParsePeer(line string) (Peer, error) {
	p := Peer{Limits: DefaultLimits()}
	words := strings.Fields(line)
	if len(words) < 3 {
		return p, fmt.Errorf("peer %.200q: want its name, its URL and its pin", line)
	}
	p.Name = words[0]
	err := CheckName(p.Name)
	if err == nil {
		p.URL, err = parseURL(words[1])
	}
	for _, w := range words[2:] {
		if err != nil {
			break
		}
		err = p.set(w)
	}
	if err == nil && (len(p.Pins) < 1 || len(p.Pins) > 2) {
		err = fmt.Errorf("%d pins, want one, or two while it changes keys", len(p.Pins))
	}
	if err != nil {
		return p, fmt.Errorf("peer %.80q: %w", p.Name, err)
	}
	return p, nil
}

// parseURL wants a server and nothing else.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%.200q: want https://host:port", s)
	}
	return u, nil
}

func (p *Peer) set(word string) (err error) {
	name, value, assigned := strings.Cut(word, "=")
	switch {
	case strings.HasPrefix(word, pinPrefix):
		pin, err := ParsePin(word)
		p.Pins = append(p.Pins, pin)
		return err
	case word == "directory":
		p.Directory = true
		return nil
	case name == "requests" && assigned:
		p.Requests, err = strconv.ParseFloat(value, 64)
	case name == "megabytes" && assigned:
		p.Megabytes, err = strconv.ParseFloat(value, 64)
	case name == "at-once" && assigned:
		p.AtOnce, err = strconv.Atoi(value)
	default:
		return fmt.Errorf("%.80q: want a pin, requests=, megabytes=, at-once= or directory", word)
	}
	if err != nil || !(p.Requests >= 1 && p.Requests <= 1e6 && p.Megabytes >= 10 && p.Megabytes <= 1e6 && p.AtOnce >= 1 && p.AtOnce <= 1000) {
		return fmt.Errorf("%.80q: want requests of 1 to 1000000 a second, megabytes of 10 to 1000000 a minute, at-once of 1 to 1000", word)
	}
	return nil
}

// CheckPeers refuses two peers of one name or key, and one that has our own name.
func CheckPeers(own string, list []Peer) error {
	names, pins := map[string]bool{own: true}, map[Pin]string{}
	for _, p := range list {
		if names[p.Name] {
			return fmt.Errorf("%s: this server or another peer has that name", p.Name)
		}
		names[p.Name] = true
		for _, pin := range p.Pins {
			if other, taken := pins[pin]; taken {
				return fmt.Errorf("%s: its pin is %s's, too; the key is how servers are told apart", p.Name, other)
			}
			pins[pin] = p.Name
		}
	}
	return nil
}
