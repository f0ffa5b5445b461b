package signer

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// An ssh-agent signs any bytes with the bare key, which is what TUF and DSSE want. Use a key made for
// this purpose only, never the one that logs in: a server one logs in to could ask for a signature too.

// agentSigner is a key that an ssh-agent keeps. A connection is made for each use, since a person may
// take long to confirm one.
type agentSigner struct {
	socket string
	key    ssh.PublicKey
	public crypto.PublicKey
	label  string
}

// agentSigners returns the agent's key of that fingerprint ("SHA256:…"), or all that are usable for "".
func agentSigners(fingerprint string, getenv func(string) string) ([]Signer, error) {
	socket := getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, errors.New("no ssh-agent is running: SSH_AUTH_SOCK is not set")
	}
	var list []*agent.Key
	if err := ask(socket, func(a agent.ExtendedAgent) (err error) { list, err = a.List(); return err }); err != nil {
		return nil, err
	}
	var found []Signer
	var others []string
	for _, k := range list {
		key, err := ssh.ParsePublicKey(k.Blob)
		if err != nil {
			continue // a type this library does not know
		}
		print := ssh.FingerprintSHA256(key)
		pub, err := usable(key)
		switch {
		case fingerprint == print && err != nil:
			return nil, fmt.Errorf("key %s in the ssh-agent: %v", print, err)
		case err == nil && (fingerprint == "" || fingerprint == print):
			found = append(found, agentSigner{socket, key, pub, k.Comment})
		default:
			others = append(others, print)
		}
	}
	if len(found) == 0 && fingerprint == "" {
		return nil, fmt.Errorf("the ssh-agent has no usable key among its %d: want ssh-ed25519 or ecdsa-sha2-nistp256 (ssh-add FILE)", len(list))
	}
	if len(found) == 0 {
		slices.Sort(others)
		return nil, fmt.Errorf("key %s is not in the ssh-agent, which has %s", fingerprint, orNone(others))
	}
	return found, nil
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// ask talks to the agent once.
func ask(socket string, f func(agent.ExtendedAgent) error) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return fmt.Errorf("no ssh-agent answers: %w", err)
	}
	defer conn.Close()
	if err := f(agent.NewClient(conn)); err != nil {
		return fmt.Errorf("ssh-agent: %w", err)
	}
	return nil
}

func (s agentSigner) Public() crypto.PublicKey { return s.public }

func (s agentSigner) String() string {
	return strings.TrimSpace(fmt.Sprintf("key %s in the ssh-agent %s", Fingerprint(s.public), quoted(s.label)))
}

// quoted keeps a key's comment, which anyone may have written, from acting on a terminal.
func quoted(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("(%q)", s)
}

// Sign asks the agent and turns its answer into the form the Signer interface promises.
func (s agentSigner) Sign(message []byte) ([]byte, error) {
	var answer *ssh.Signature
	err := ask(s.socket, func(a agent.ExtendedAgent) (err error) { answer, err = a.Sign(s.key, message); return err })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	if answer.Format != s.key.Type() {
		return nil, fmt.Errorf("%s: signature of type %q, want %q", s, answer.Format, s.key.Type())
	}
	sig := answer.Blob
	if _, ok := s.public.(*ecdsa.PublicKey); ok {
		var rs struct{ R, S *big.Int } // RFC 5656 3.1.2
		if err := ssh.Unmarshal(answer.Blob, &rs); err != nil {
			return nil, fmt.Errorf("%s: malformed signature: %v", s, err)
		}
		if sig, err = asn1.Marshal(rs); err != nil {
			return nil, err
		}
	}
	return sig, check(s.public, message, sig)
}
