// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/berth-run/berth/seccomp/internal/wire"
	"golang.org/x/sys/unix"
)

// The cache is a directory with one file for each program, named by a checksum of
// what it was made from, its key:
//
//	magic     8 bytes
//	checksum  4 bytes, little-endian: the CRC-32C of what follows
//	length    4 bytes, little-endian: that of the key
//	key       the compiler's hash and the request
//	answer    as wire.Answer has it
//
// Whoever can write there decides what containers may do. So a directory or a
// file of another owner, or one that others can write, is not used, and no
// symbolic link is followed to either. The checksum is not against attackers: it
// finds files that a crash or a full disk cut short. Nor is the name, for the key is
// compared: what two keys have one name for is compiled by turns. (Package crypto
// would cost more at the start of every command than this does.)

const entryMagic = "berthbp2"

const entryHeaderSize = len(entryMagic) + 4 + 4

// maxEntrySize is far above the largest program; a larger file is not read.
const maxEntrySize = 1 << 20

// maxEntries is how many programs are kept. Engines make a few profiles, but
// some make one for each container.
const maxEntries = 256

// errBadEntry is why an entry is compiled and written again.
var errBadEntry = errors.New("damaged entry")

// entryKey is the key of a request's entry: of another compiler, the same request is
// another one.
func (c *compiler) entryKey(request []byte) []byte {
	return append(c.header.Sum[:len(c.header.Sum):len(c.header.Sum)], request...)
}

func entryName(key []byte) string {
	return fmt.Sprintf("%08x-%d", checksum(key), len(key))
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// loadEntry looks an entry up. Without one, and with one that is damaged or another's,
// both results are nil; an error says that the cache is not fit for use.
func loadEntry(dir string, key []byte) (*wire.Answer, error) {
	dirFD, err := openCacheDir(dir)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil, nil
		}
		return nil, err
	}
	defer unix.Close(dirFD)
	name := entryName(key)
	path := filepath.Join(dir, name)
	fd, err := unix.Openat(dirFD, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil, nil
		}
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	size, err := checkOwned(fd, path, unix.S_IFREG)
	if err != nil {
		return nil, err
	}
	b, err := readEntry(fd, path, size)
	if err != nil {
		return nil, err
	}
	answer, err := decodeEntry(b, key)
	if err != nil {
		// Not an error: it is written anew.
		return nil, nil
	}
	return answer, nil
}

func readEntry(fd int, path string, size int64) ([]byte, error) {
	if size > maxEntrySize {
		return nil, fmt.Errorf("%s: too large for a filter", path)
	}
	b := make([]byte, size)
	n, err := unix.Pread(fd, b, 0)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b[:n], nil
}

// encodeEntry is the file for the answer to what key was made from.
func encodeEntry(a *wire.Answer, key []byte) []byte {
	answer := a.Encode()
	b := make([]byte, entryHeaderSize, entryHeaderSize+len(key)+len(answer))
	copy(b, entryMagic)
	binary.LittleEndian.PutUint32(b[len(entryMagic)+4:], uint32(len(key)))
	b = append(append(b, key...), answer...)
	binary.LittleEndian.PutUint32(b[len(entryMagic):], checksum(b[len(entryMagic)+4:]))
	return b
}

// decodeEntry is the inverse of encodeEntry. The entry of another key is none.
func decodeEntry(b, key []byte) (*wire.Answer, error) {
	if len(b) < entryHeaderSize || string(b[:len(entryMagic)]) != entryMagic {
		return nil, errBadEntry
	}
	sum, rest := binary.LittleEndian.Uint32(b[len(entryMagic):]), b[len(entryMagic)+4:]
	if checksum(rest) != sum {
		return nil, errBadEntry
	}
	length, rest := binary.LittleEndian.Uint32(rest), rest[4:]
	if uint64(length) > uint64(len(rest)) || !bytes.Equal(rest[:length], key) {
		return nil, errBadEntry
	}
	return wire.DecodeAnswer(rest[length:])
}

// openCacheDir opens the directory once it is known to be ours alone.
func openCacheDir(dir string) (int, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", dir, err)
	}
	if _, err := checkOwned(fd, dir, unix.S_IFDIR); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// checkOwned checks that an open file is of a type, is ours, and that nobody
// else can write it. It returns its size.
func checkOwned(fd int, path string, kind uint32) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != kind:
		return 0, fmt.Errorf("%s: not the type of file that it should be", path)
	case st.Uid != uint32(os.Geteuid()):
		return 0, fmt.Errorf("%s: belongs to user %d", path, st.Uid)
	case st.Mode&0o022 != 0:
		return 0, fmt.Errorf("%s: others can write it", path)
	}
	return st.Size, nil
}

// storeEntry adds an entry, whole or not at all.
func storeEntry(dir string, key []byte, a *wire.Answer) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	dirFD, err := openCacheDir(dir)
	if err != nil {
		return err
	}
	d := os.NewFile(uintptr(dirFD), dir)
	defer d.Close()
	if err := makeRoom(d); err != nil {
		return err
	}
	name := entryName(key)
	// Nobody else has this name: the descriptor is open as long as it is used.
	// What a crash left under it, with the same process id, is stale.
	tmp := fmt.Sprintf("tmp-%d-%d-%s", os.Getpid(), dirFD, name)
	if err := unix.Unlinkat(dirFD, tmp, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unlink %s: %w", filepath.Join(dir, tmp), err)
	}
	if err := writeEntry(dirFD, tmp, encodeEntry(a, key)); err != nil {
		err = fmt.Errorf("write %s: %w", filepath.Join(dir, tmp), err)
		return errors.Join(err, unix.Unlinkat(dirFD, tmp, 0))
	}
	if err := unix.Renameat(dirFD, tmp, dirFD, name); err != nil {
		err = fmt.Errorf("rename %s: %w", filepath.Join(dir, tmp), err)
		return errors.Join(err, unix.Unlinkat(dirFD, tmp, 0))
	}
	return nil
}

func writeEntry(dirFD int, name string, b []byte) error {
	fd, err := unix.Openat(dirFD, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// makeRoom removes the older half of a cache that is full, and with it what
// crashed writers have left. A reader that has one of them open keeps it.
func makeRoom(d *os.File) error {
	list, err := d.ReadDir(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", d.Name(), err)
	}
	if len(list) < maxEntries {
		return nil
	}
	infos := make([]os.FileInfo, 0, len(list))
	for _, e := range list {
		// Another process may have removed it meanwhile.
		if info, err := e.Info(); err == nil {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b os.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, info := range infos[:len(infos)/2] {
		if err := unix.Unlinkat(int(d.Fd()), info.Name(), 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unlink %s: %w", filepath.Join(d.Name(), info.Name()), err)
		}
	}
	return nil
}
