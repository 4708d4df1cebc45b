// An independent reader of our log: checkpoint, tiles and proofs by golang.org/x/mod/sumdb.
//
// usage: crosscheck DIR VKEY SIZE ...    (DIR is what `byline audit export --static` writes)
// It opens the signed note, recomputes the tree head from the tiles, proves and checks the inclusion
// of every entry in the bundles, and the consistency of every given older SIZE. Any disagreement ends it.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type files struct{ dir string }

// C2SP tlog-tiles addresses: tile/<level>/<x001/x002/003>[.p/<width>].
func address(level string, n int64, width int) string {
	parts := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		parts = fmt.Sprintf("x%03d/%s", n%1000, parts)
	}
	if width != 256 {
		parts += fmt.Sprintf(".p/%d", width)
	}
	return "tile/" + level + "/" + parts
}

func (f files) Height() int                                 { return 8 }
func (f files) SaveTiles(tiles []tlog.Tile, data [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(filepath.Join(f.dir, address(strconv.Itoa(t.L), t.N, t.W)))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "crosscheck:", err)
		os.Exit(1)
	}
}

func main() {
	dir, vkey := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(vkey)
	check(err)
	raw, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	check(err)
	opened, err := note.Open(raw, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		check(fmt.Errorf("origin %q is not %q", lines[0], verifier.Name()))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	decoded, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	var root tlog.Hash
	copy(root[:], decoded)
	tree := tlog.Tree{N: size, Hash: root}

	reader := tlog.TileHashReader(tree, files{dir}) // authenticates every tile against the tree head
	entries := int64(0)
	for bundle := int64(0); bundle*256 < size; bundle++ {
		width := size - bundle*256
		if width > 256 {
			width = 256
		}
		data, err := os.ReadFile(filepath.Join(dir, address("entries", bundle, int(width))))
		check(err)
		for len(data) > 0 {
			length := int(binary.BigEndian.Uint16(data))
			record := data[2 : 2+length]
			data = data[2+length:]
			proof, err := tlog.ProveRecord(size, entries, reader)
			check(err)
			check(tlog.CheckRecord(proof, size, root, entries, tlog.RecordHash(record)))
			entries++
		}
	}
	if entries != size {
		check(fmt.Errorf("%d entries, the tree has %d", entries, size))
	}
	for _, text := range os.Args[3:] {
		old, err := strconv.ParseInt(text, 10, 64)
		check(err)
		before, err := tlog.TreeHash(old, reader)
		check(err)
		proof, err := tlog.ProveTree(size, old, reader)
		check(err)
		check(tlog.CheckTree(proof, size, root, old, before))
		fmt.Printf("consistent %d %x\n", old, before[:])
	}
	fmt.Printf("verified %d entries, root %x\n", entries, root[:])
}
