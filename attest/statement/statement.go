// Package statement is what an auditor says about a release, as in-toto Statements v1. It is pure and
// needs only the standard library, since the judge reads it. The predicates, each documented field by
// field at its type:
//
//	Rebuild       slsa.dev/provenance/v1   "I rebuilt it, and these are the bytes I got"
//	Inconclusive  …/inconclusive/v1        "I tried to rebuild it and cannot tell"
//	Review        …/review/v1              "I read what changed since that base", or all but this, or: do not ship it
//	Withdrawal    …/withdrawal/v1          "do not use it any longer", or "it is good again"
//
// A Rebuild does not say whether the bytes were the right ones. It lists what came out, and whoever
// holds the release's manifest compares: equal to the manifest is a positive statement, anything else a
// negative one. So a builder that fails, or lies about success, cannot turn one into the other.
//
// Who may make one: anyone; it counts when the bundle around it is signed by an auditor's statement
// key. The worst a false one can do is to count as one auditor's word, on record.
//
// The printed form is unique: Parse refuses every text that Encode would not print.
package statement

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxSize is the largest statement, in bytes. A release of 60 artifacts needs 15 KiB.
const MaxSize = 256 << 10

// URIs of the formats.
const (
	TypeStatement         = "https://in-toto.io/Statement/v1"
	PredicateProvenance   = "https://slsa.dev/provenance/v1"
	BuildTypeRebuild      = "https://github.com/countersign-project/countersign/rebuild/v1"
	PredicateInconclusive = "https://github.com/countersign-project/countersign/inconclusive/v1"
	PredicateReview       = "https://github.com/countersign-project/countersign/review/v1"
	PredicateWithdrawal   = "https://github.com/countersign-project/countersign/withdrawal/v1"
)

// Error says why a statement is not one of ours.
type Error struct{ Reason string }

func (e *Error) Error() string { return "statement: " + e.Reason }

// Refused is true: the bytes were in hand and wrong.
func (e *Error) Refused() bool { return true }

func refusef(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Parse reads a statement: *Rebuild, *Inconclusive, *Review or *Withdrawal. Unknown fields, other spacing, other order and
// repeated fields are refused.
func Parse(b []byte) (any, error) {
	if len(b) > MaxSize {
		return nil, refusef("%d bytes, at most %d", len(b), MaxSize)
	}
	var head struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, refusef("%v", err)
	}
	if head.Type != TypeStatement {
		return nil, refusef("type %q, want %q", head.Type, TypeStatement)
	}
	var parsed interface{ Encode() ([]byte, error) }
	var err error
	switch head.PredicateType {
	case PredicateProvenance:
		parsed, err = parseRebuild(b)
	case PredicateInconclusive:
		parsed, err = parseInconclusive(b)
	case PredicateReview:
		parsed, err = parseReview(b)
	case PredicateWithdrawal:
		parsed, err = parseWithdrawal(b)
	default:
		err = refusef("predicate type %q is none we know", head.PredicateType)
	}
	if err != nil {
		return nil, err
	}
	again, err := parsed.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, refusef("is not printed as this project prints it; two readers might see two things in it")
	}
	return parsed, nil
}

// decode reads JSON into v without tolerating fields v does not have.
func decode(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return refusef("%v", err)
	}
	return nil
}

// encode prints v on one line, with <, > and & as they are.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, refusef("%v", err)
	}
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if len(b) > MaxSize {
		return nil, refusef("%d bytes, at most %d", len(b), MaxSize)
	}
	return b, nil
}

// header is what every in-toto statement starts with; a predicate follows.
type header struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
}

// resource is an in-toto ResourceDescriptor, the fields we use.
type resource struct {
	Name        string            `json:"name"`
	Digest      map[string]string `json:"digest"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func digest(s string) (sum [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		return sum, refusef("sha256 %q, want 64 hex digits", s)
	}
	return [32]byte(b), nil
}

// timeText and parseTime carry whole seconds in UTC.
func timeText(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, refusef("time %q, want RFC 3339", s)
	}
	return t, nil
}

// checkSpan refuses times that cannot be a build's.
func checkSpan(started, finished time.Time) error {
	switch {
	case started.IsZero() || finished.IsZero():
		return errors.New("started or finished is missing")
	case finished.Before(started):
		return fmt.Errorf("finished %s, before it started %s", timeText(finished), timeText(started))
	case finished.UTC().Year() > 9999 || started.UTC().Year() < 1970:
		return errors.New("time out of range")
	}
	return nil
}
