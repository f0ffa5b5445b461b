package compare

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"strings"
)

// image is a program file in the terms its three formats share.
type image struct {
	file     []byte
	machine  string
	sections []section
	hidden   [][2]int // offset and length of ranges that only name or sign the rest
	// mask is the file with zeros for what names the build: build ids, and on macOS the image's UUID and
	// the linker's signature, both of which depend on everything else.
	mask []byte
}

// section is a named range of the file, loaded at addr. In Mach-O, the name is "segment,section".
type section struct {
	name         string
	code         bool
	addr         uint64
	offset, size int
}

// bytes returns the section's part of a file; one that claims to lie outside has none.
func (s section) bytes(file []byte) []byte {
	if s.offset < 0 || s.size < 0 || s.offset > len(file) || s.size > len(file)-s.offset {
		return nil
	}
	return file[s.offset : s.offset+s.size]
}

// plain is the name without its segment and leading dots or underscores: "text", "rodata".
func (s section) plain() string {
	_, name, ok := strings.Cut(s.name, ",")
	if !ok {
		name = s.name
	}
	return strings.TrimLeft(name, "._")
}

// symbol reports whether a section serves debuggers only.
func (s section) symbol() bool {
	for _, start := range []string{"debug_", "zdebug_", "symtab", "strtab", "shstrtab"} {
		if strings.HasPrefix(s.plain(), start) {
			return true
		}
	}
	return false
}

func (m *image) section(name string) (section, bool) {
	for _, s := range m.sections {
		if s.name == name {
			return s, true
		}
	}
	return section{}, false
}

func (m *image) add(name string, code bool, addr, offset, size uint64) {
	if offset > uint64(len(m.file)) || size > uint64(len(m.file)) {
		size = 0
		offset = 0
	}
	m.sections = append(m.sections, section{name, code, addr, int(offset), int(size)})
}

// parseImage reads an ELF, Mach-O or PE file. The formats' readers are Go's; what they make of hostile
// files is bounded by section.bytes.
func parseImage(file []byte) (*image, error) {
	m := &image{file: file}
	var err error
	switch kind(file) {
	case "ELF program":
		err = m.elf()
	case "Mach-O program":
		err = m.macho()
	case "PE program":
		err = m.pe()
	default:
		err = errors.New("not a program")
	}
	if err != nil {
		return nil, err
	}
	m.mask = bytes.Clone(file)
	for _, h := range m.hidden {
		clear(section{offset: h[0], size: h[1]}.bytes(m.mask))
	}
	// Outside ELF, Go keeps its build id at the start of the code, between these marks.
	if _, rest, ok := bytes.Cut(m.mask, []byte("\xff Go build ID: \"")); ok {
		if id, _, ok := bytes.Cut(rest, []byte("\"\n \xff")); ok {
			clear(id)
		}
	}
	return m, nil
}

func (m *image) elf() error {
	f, err := elf.NewFile(bytes.NewReader(m.file))
	if err != nil {
		return err
	}
	m.machine = f.Machine.String()
	for _, s := range f.Sections {
		if s.Type == elf.SHT_NULL || s.Type == elf.SHT_NOBITS {
			continue
		}
		if s.Name == ".note.go.buildid" || s.Name == ".note.gnu.build-id" {
			m.hidden = append(m.hidden, [2]int{int(s.Offset), int(s.FileSize)})
		}
		m.add(s.Name, s.Flags&elf.SHF_EXECINSTR != 0, s.Addr, s.Offset, s.FileSize)
	}
	return nil
}

func (m *image) macho() error {
	f, err := macho.NewFile(bytes.NewReader(m.file))
	if err != nil {
		return err
	}
	m.machine = f.Cpu.String()
	for _, s := range f.Sections {
		const noBytes, kinds = 0x1, 0xff // S_ZEROFILL, SECTION_TYPE
		if s.Flags&kinds == noBytes {
			continue
		}
		m.add(s.Seg+","+s.Name, s.Seg == "__TEXT" && s.Name == "__text", s.Addr, uint64(s.Offset), s.Size) // __rodata is there twice
	}
	at := 32 // the load commands follow the 64-bit header
	for _, l := range f.Loads {
		raw := l.Raw()
		const uuid, signature = 0x1b, 0x1d // LC_UUID, LC_CODE_SIGNATURE
		switch cmd := f.ByteOrder.Uint32(raw); {
		case cmd == uuid && len(raw) >= 24:
			m.hidden = append(m.hidden, [2]int{at + 8, 16})
		case cmd == signature && len(raw) >= 16:
			m.hidden = append(m.hidden, [2]int{int(f.ByteOrder.Uint32(raw[8:])), int(f.ByteOrder.Uint32(raw[12:]))})
		}
		at += len(raw)
	}
	return nil
}

func (m *image) pe() error {
	f, err := pe.NewFile(bytes.NewReader(m.file))
	if err != nil {
		return err
	}
	m.machine = fmt.Sprintf("PE machine 0x%x", f.Machine)
	var base uint64
	if h, ok := f.OptionalHeader.(*pe.OptionalHeader64); ok {
		base = h.ImageBase
	}
	for _, s := range f.Sections {
		m.add(s.Name, s.Characteristics&pe.IMAGE_SCN_CNT_CODE != 0, base+uint64(s.VirtualAddress), uint64(s.Offset), uint64(s.Size))
	}
	return nil
}
