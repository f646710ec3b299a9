package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// The layout of bbolt's pages (bbolt's internal/common), which is the same in all versions of its
// format. Elements follow the head; a place is counted from its element.
const (
	pageHead    = 16 // id uint64, kind uint16, count uint16, overflow uint32
	elementSize = 16 // branch: place, key size uint32, child uint64; leaf: flags, place, key size, value size uint32
	bucketHead  = 16 // root uint64, sequence uint64; an inline bucket's page follows

	kindBranch = 0x01
	kindLeaf   = 0x02
	leafBucket = 0x01 // flag of an element whose value is a bucket
)

// pageCheck follows every page of a file once. bbolt checks the same while it opens a file for
// writing, but ends the process where something is wrong. Reading beyond the data panics: see
// inspect.
type pageCheck struct {
	data []byte
	size uint64 // of a page
	seen []bool // by page
}

// checkPages checks the tree of a file that bbolt has open, and gives the bytes that are in use.
func checkPages(file *os.File, tx *bolt.Tx) (used int64, err error) {
	data, err := unix.Mmap(int(file.Fd()), 0, int(tx.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, fmt.Errorf("map %s: %w", file.Name(), err)
	}
	defer func() { _ = unix.Munmap(data) }() // its own mapping
	size := uint64(tx.DB().Info().PageSize)  //nolint:gosec // is not negative
	c := &pageCheck{data: data, size: size, seen: make([]bool, uint64(len(data))/size)}
	err = c.tree(uint64(tx.Cursor().Bucket().Root()), nil, nil)
	const metas = 2
	pages := metas
	for _, seen := range c.seen {
		if seen {
			pages++
		}
	}
	return int64(pages) * int64(tx.DB().Info().PageSize), err
}

// tree checks a page and what is below it, whose keys must be from least to before most; nil is no
// bound.
func (c *pageCheck) tree(id uint64, least, most []byte) error {
	p := c.data[id*c.size:]
	overflow := uint64(binary.LittleEndian.Uint32(p[12:]))
	if got := binary.LittleEndian.Uint64(p); got != id {
		return fmt.Errorf("page %d calls itself %d", id, got)
	}
	for n := id; n <= id+overflow; n++ {
		if c.seen[n] {
			return fmt.Errorf("page %d is in two places", n)
		}
		c.seen[n] = true
	}
	return c.page(p[:(overflow+1)*c.size], least, most)
}

// page checks a page's elements.
func (c *pageCheck) page(p, least, most []byte) error {
	kind, count := binary.LittleEndian.Uint16(p[8:]), int(binary.LittleEndian.Uint16(p[10:]))
	if kind != kindBranch && kind != kindLeaf {
		return fmt.Errorf("a page has the kind %#x", kind)
	}
	keys := make([][]byte, count)
	for i := range count {
		e := p[pageHead+i*elementSize:]
		place, length := binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:])
		if kind == kindLeaf {
			place, length = binary.LittleEndian.Uint32(e[4:]), binary.LittleEndian.Uint32(e[8:])
		}
		keys[i] = e[place : uint64(place)+uint64(length)]
		after := i == 0 && bytes.Compare(keys[i], least) >= 0 || i > 0 && bytes.Compare(keys[i], keys[i-1]) > 0
		if !after || most != nil && bytes.Compare(keys[i], most) >= 0 {
			return errors.New("keys are out of order")
		}
	}
	for i := range count {
		e := p[pageHead+i*elementSize:]
		var err error
		if kind == kindLeaf {
			err = c.leaf(e)
		} else {
			end := most
			if i+1 < count {
				end = keys[i+1]
			}
			err = c.tree(binary.LittleEndian.Uint64(e[8:]), keys[i], end)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf checks a leaf's element: its value must be there and, where it is a bucket, whole.
func (c *pageCheck) leaf(e []byte) error {
	flags := binary.LittleEndian.Uint32(e)
	start := uint64(binary.LittleEndian.Uint32(e[4:])) + uint64(binary.LittleEndian.Uint32(e[8:]))
	value := e[start : start+uint64(binary.LittleEndian.Uint32(e[12:]))]
	switch {
	case flags == 0:
		return nil
	case flags != leafBucket:
		return fmt.Errorf("an element has the flags %#x", flags)
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return c.tree(root, nil, nil)
	}
	return c.page(value[bucketHead:], nil, nil)
}
