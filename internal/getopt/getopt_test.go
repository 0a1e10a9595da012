package getopt_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wackamole/internal/getopt"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name     string
		args     []string
		options  []getopt.Option
		operands []string
		err      string
	}{
		{name: "nothing"},
		{name: "one", args: []string{"-d"}, options: []getopt.Option{{Letter: 'd'}}},
		{name: "cluster", args: []string{"-dl"}, options: []getopt.Option{{Letter: 'd'}, {Letter: 'l'}}},
		{name: "value stuck", args: []string{"-cFILE"}, options: []getopt.Option{{Letter: 'c', Value: "FILE"}}},
		{name: "value apart", args: []string{"-c", "FILE"}, options: []getopt.Option{{Letter: 'c', Value: "FILE"}}},
		{name: "value ends a cluster", args: []string{"-dcFILE", "-l"}, options: []getopt.Option{{Letter: 'd'}, {Letter: 'c', Value: "FILE"}, {Letter: 'l'}}},
		{name: "value after a cluster", args: []string{"-dc", "FILE"}, options: []getopt.Option{{Letter: 'd'}, {Letter: 'c', Value: "FILE"}}},
		{name: "value that looks like a flag", args: []string{"-c", "-d"}, options: []getopt.Option{{Letter: 'c', Value: "-d"}}},
		{name: "empty value", args: []string{"-c", ""}, options: []getopt.Option{{Letter: 'c'}}},
		{name: "repeated", args: []string{"-c", "A", "-cB"}, options: []getopt.Option{{Letter: 'c', Value: "A"}, {Letter: 'c', Value: "B"}}},
		{name: "end of flags", args: []string{"-d", "--", "-l", "x"}, options: []getopt.Option{{Letter: 'd'}}, operands: []string{"-l", "x"}},
		{name: "flags after operands", args: []string{"x", "-d", "y"}, options: []getopt.Option{{Letter: 'd'}}, operands: []string{"x", "y"}},
		{name: "lone dash", args: []string{"-", "-d"}, options: []getopt.Option{{Letter: 'd'}}, operands: []string{"-"}},
		{name: "empty operand", args: []string{""}, operands: []string{""}},
		{name: "unknown", args: []string{"-d", "-x"}, err: "unknown flag -x"},
		{name: "unknown in a cluster", args: []string{"-dx"}, err: "unknown flag -x"},
		{name: "long", args: []string{"--help"}, err: "unknown flag --help"},
		{name: "colon is no flag", args: []string{"-:"}, err: "unknown flag -:"},
		{name: "value missing", args: []string{"-d", "-c"}, err: "flag -c needs a value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			options, operands, err := getopt.Parse("c:dl", tt.args)
			if tt.err != "" {
				var usage *getopt.Error
				if !errors.As(err, &usage) || err.Error() != tt.err {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.options, options); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.operands, operands); diff != "" {
				t.Errorf("operands (-want +got):\n%s", diff)
			}
		})
	}
}
