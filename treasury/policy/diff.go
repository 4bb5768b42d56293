package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Diff says line by line what is different in another policy: nothing where both decide
// by the same text. Layers and rules are the same where their names are.
func Diff(before, after *Policy) []string {
	var d differences
	d.value("environment", before.Environment, after.Environment)
	d.value("version", before.Version, after.Version)
	d.value("in force from", instant(before.NotBefore), instant(after.NotBefore))
	compare(&d, "layer ", before.Layers, after.Layers, func(l *Layer) string { return l.Name },
		func(old, now *Layer) {
			compare(&d, "rule "+now.Name+"/", old.Rules, now.Rules, func(r *Rule) string { return r.Name },
				func(was, is *Rule) { d.value("rule "+now.Name+"/"+is.Name, written(was), written(is)) })
		})
	return d.lines
}

type differences struct{ lines []string }

func (d *differences) value(what string, before, after any) {
	if before != after {
		d.lines = append(d.lines, fmt.Sprintf("%s: %v becomes %v", what, before, after))
	}
}

// compare goes through two lists of named items: what was taken out, what is new, whether
// the order changed, since the first that fits counts, and, by inside, what both have.
func compare[T any](d *differences, kind string, before, after []T, name func(*T) string, inside func(old, now *T)) {
	old, now := names(before, name), names(after, name)
	for i := range before {
		if !slices.Contains(now, old[i]) {
			d.lines = append(d.lines, fmt.Sprintf("%s%s is taken out: %s", kind, old[i], written(&before[i])))
		}
	}
	for i := range after {
		if !slices.Contains(old, now[i]) {
			d.lines = append(d.lines, fmt.Sprintf("%s%s is new at place %d: %s", kind, now[i], i+1, written(&after[i])))
		}
	}
	stayed := only(now, old)
	if was := only(old, now); !slices.Equal(was, stayed) {
		d.lines = append(d.lines, fmt.Sprintf("%s%s: the order becomes %s", kind, strings.Join(was, ", "), strings.Join(stayed, ", ")))
	}
	for i := range after {
		if at := slices.Index(old, now[i]); at >= 0 {
			inside(&before[at], &after[i])
		}
	}
}

func names[T any](list []T, name func(*T) string) []string {
	all := make([]string, len(list))
	for i := range list {
		all[i] = name(&list[i])
	}
	return all
}

// only is what of a list is in another one.
func only(list, in []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return !slices.Contains(in, name) })
}

// written is the canonical form of a part of a policy. What cannot be written is no part of
// a policy that was checked.
func written(part any) string {
	b, err := encode(part)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func instant(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
