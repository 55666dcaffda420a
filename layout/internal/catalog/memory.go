package catalog

import (
	"context"
	"errors"
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// memory is tables in memory. The tables with prefixes are found by prefixes of the
// length of a short digest.
type memory struct {
	whole  [tableCount]map[string][]byte   // manifests
	listed [tableCount]map[string][]string // the others
}

func newMemory() *memory {
	m := &memory{}
	for t := range tableCount {
		m.whole[t], m.listed[t] = map[string][]byte{}, map[string][]string{}
	}
	return m
}

func (m *memory) get(t table, key []byte) ([]byte, error) { return m.whole[t][string(key)], nil }

func (m *memory) scan(t table, prefix []byte, fn func(key, value []byte) error) error {
	if len(prefix) == 0 {
		for key, value := range m.whole[t] {
			if err := fn([]byte(key), value); err != nil {
				return err
			}
		}
		return nil
	}
	tails := m.listed[t][string(prefix)]
	for _, tail := range tails {
		if err := fn(append(slices.Clip(prefix), tail...), nil); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) put(t table, key, value []byte) error {
	if t == manifests {
		m.whole[t][string(key)] = value
		return nil
	}
	prefix, tail := string(key[:shortSize]), string(key[shortSize:])
	if !slices.Contains(m.listed[t][prefix], tail) || t == subjects {
		m.listed[t][prefix] = append(m.listed[t][prefix], tail)
	}
	return nil
}

func (m *memory) known(long []byte) (bool, error) {
	_, ok := m.whole[manifests][string(long)]
	return ok, nil
}

func (m *memory) add(_ node, long []byte, r record, encoded []byte) error {
	return r.rows(long, encoded, m.put)
}

func (m *memory) hole(node) error { return nil }

// ErrLarge says that more manifests are led to than the caller wants to read.
var ErrLarge = errors.New("more manifests than wanted")

// Compute reads all that src leads to and keeps the facts in memory. If it is more
// than max manifests, it stops with ErrLarge; 0 is no such limit.
func Compute(ctx context.Context, src Source, max int, limits content.Limits) (Facts, error) {
	m := newMemory()
	pending := newSorter(nil)
	err := src.Roots(ctx, func(r Root) error {
		if r.Form != Plain {
			if err := m.put(claims, r.claimKey(), nil); err != nil {
				return err
			}
		}
		if max > 0 && pending.count > max {
			return ErrLarge
		}
		return pending.add(r.node().key(), nil)
	})
	if err != nil {
		return Facts{}, err
	}
	c := crawler{src: src, into: m, limits: limits.WithDefaults(), max: max}
	return Facts{m}, c.run(ctx, pending, newSorter)
}
