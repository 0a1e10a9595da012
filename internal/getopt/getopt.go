// Package getopt reads command lines as POSIX getopt(3) does, because that is what the programs that
// this one replaces used and what people's start scripts were written for: one-letter flags, flags in
// a cluster (-dD), a value stuck to its flag or in the next argument (-cFILE, -c FILE), "--" as the
// end of the flags. As with the GNU C library, flags may also follow operands.
//
// The caller names its flags in a specification, a letter each, with a colon behind those that take a
// value, and gets the flags back in the order in which they were given: which one counts when a flag is
// repeated is the caller's to decide.
package getopt

import "strings"

// Option is one flag of a command line.
type Option struct {
	// Letter names the flag.
	Letter byte
	// Value is what was given with it; empty for a flag that takes none.
	Value string
}

// Error says what is wrong with a command line. Callers print it with their usage and exit with status 2.
type Error struct {
	// Flag is the flag as the person wrote it, "-x" or "--word".
	Flag string
	// NeedsValue tells a known flag without its value from an unknown flag.
	NeedsValue bool
}

// Error names the flag and what is wrong with it.
func (e *Error) Error() string {
	if e.NeedsValue {
		return "flag " + e.Flag + " needs a value"
	}
	return "unknown flag " + e.Flag
}

// Parse splits args, the command line without the program's name, into flags and operands by
// specification, for instance "c:dv": flags -c with a value, -d and -v without. A lone "-" is an
// operand. The error is an *Error.
func Parse(specification string, args []string) (options []Option, operands []string, err error) {
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		switch {
		case word == "--":
			return options, append(operands, args...), nil
		case len(word) < 2 || word[0] != '-':
			operands = append(operands, word)
			continue
		case strings.HasPrefix(word, "--"):
			return nil, nil, &Error{Flag: word}
		}
		for i := 1; i < len(word); i++ {
			letter := word[i]
			known, takesValue := lookUp(specification, letter)
			if !known {
				return nil, nil, &Error{Flag: "-" + word[i:i+1]}
			}
			if !takesValue {
				options = append(options, Option{Letter: letter})
				continue
			}
			value := word[i+1:]
			if value == "" {
				if len(args) == 0 {
					return nil, nil, &Error{Flag: "-" + word[i:i+1], NeedsValue: true}
				}
				value, args = args[0], args[1:]
			}
			options = append(options, Option{Letter: letter, Value: value})
			break
		}
	}
	return options, operands, nil
}

func lookUp(specification string, letter byte) (known, takesValue bool) {
	if letter == ':' {
		return false, false
	}
	i := strings.IndexByte(specification, letter)
	if i < 0 {
		return false, false
	}
	return true, strings.HasPrefix(specification[i+1:], ":")
}
