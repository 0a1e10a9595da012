package fmt

// Errorf returns an error with the text of the format, in which %w stands for an
// error that errors.Is and errors.As find.
func Errorf(format string, args ...any) error {
	text := Sprintf(format, args...)
	var causes []error
	for i, next := 0, 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		d, length := parse(format[i+1:])
		i += length
		if d.verb == '%' {
			continue
		}
		if d.verb == 'w' && next < len(args) {
			if err, ok := args[next].(error); ok {
				causes = append(causes, err)
			}
		}
		next++
	}
	switch len(causes) {
	case 0:
		return &plainError{text}
	case 1:
		return &wrapError{text, causes[0]}
	}
	return &wrapErrors{text, causes}
}

type plainError struct{ text string }

func (e *plainError) Error() string { return e.text }

type wrapError struct {
	text  string
	cause error
}

func (e *wrapError) Error() string { return e.text }
func (e *wrapError) Unwrap() error { return e.cause }

type wrapErrors struct {
	text   string
	causes []error
}

func (e *wrapErrors) Error() string   { return e.text }
func (e *wrapErrors) Unwrap() []error { return e.causes }
