package store

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Reline gives an export's line its right checksum and, where it is not 0, another number.
func Reline(line []byte, number int) ([]byte, error) {
	l := recordLine{}
	if err := json.Unmarshal(line, &l); err != nil {
		return nil, err
	}
	if l.Record == nil {
		return nil, errors.New("no record")
	}
	if number != 0 {
		l.Line = number
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	// The encoder may write the record in another way than it came.
	for range 2 {
		text.Reset()
		l.Sum = l.sum()
		if err := e.Encode(l); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text.Bytes(), &l); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}
