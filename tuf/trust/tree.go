package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// The parser below knows JSON and nothing of TUF. It exists because
// encoding/json, which the engine uses, takes the last of two equal field
// names, matches names without regard to case, and turns nulls into nil
// pointers: three ways to make two readers of one signed file disagree.

// maxDepth is how deep values may nest. Metadata of the specification needs 6;
// the rest is room for unknown fields.
const maxDepth = 24

// maxInteger is the largest whole number every JSON reader agrees on (2^53-1).
const maxInteger = 1<<53 - 1

type kind uint8

const (
	isNull kind = iota
	isBool
	isInteger
	isString
	isArray
	isObject
)

func (k kind) String() string {
	return [...]string{"null", "true or false", "a whole number", "a string", "an array", "an object"}[k]
}

// value is one JSON value; only the field that kind names is set.
type value struct {
	kind   kind
	yes    bool
	number int64
	text   string
	items  []value
	fields map[string]value
}

// parseTree reads exactly one JSON value: valid UTF-8, no field name twice in
// an object, whole numbers of at most 2^53-1 either way, maxDepth levels.
func parseTree(data []byte) (value, error) {
	if !utf8.Valid(data) {
		return value{}, errors.New("not UTF-8")
	}
	// Valid first: the token reader alone forgives some misplaced commas.
	if !json.Valid(data) {
		return value{}, errors.New("not one JSON value")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := readValue(dec, 0)
	if err != nil {
		return value{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return value{}, errors.New("more than one JSON value")
	}
	return v, nil
}

func readValue(dec *json.Decoder, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return value{}, err
	}
	switch t := token.(type) {
	case nil:
		return value{kind: isNull}, nil
	case bool:
		return value{kind: isBool, yes: t}, nil
	case string:
		return value{kind: isString, text: t}, nil
	case json.Number:
		n, err := readInteger(string(t))
		return value{kind: isInteger, number: n}, err
	case json.Delim:
		if t == '[' {
			return readArray(dec, depth)
		}
		return readObject(dec, depth)
	}
	return value{}, fmt.Errorf("unexpected %v", token)
}

// readInteger takes only the one spelling a number has: no fraction, no
// exponent, no minus zero. Canonical JSON knows no others.
func readInteger(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxInteger || n < -maxInteger || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("number %.40s, want a whole number of at most 2^53-1", s)
	}
	return n, nil
}

func readArray(dec *json.Decoder, depth int) (value, error) {
	v := value{kind: isArray}
	for dec.More() {
		item, err := readValue(dec, depth+1)
		if err != nil {
			return value{}, err
		}
		v.items = append(v.items, item)
	}
	_, err := dec.Token()
	return v, err
}

func readObject(dec *json.Decoder, depth int) (value, error) {
	v := value{kind: isObject, fields: map[string]value{}}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return value{}, err
		}
		name, ok := token.(string)
		if !ok {
			return value{}, fmt.Errorf("field name %v, want a string", token)
		}
		if _, twice := v.fields[name]; twice {
			return value{}, fmt.Errorf("field %.40q twice in one object", name)
		}
		if v.fields[name], err = readValue(dec, depth+1); err != nil {
			return value{}, err
		}
	}
	_, err := dec.Token()
	return v, err
}
