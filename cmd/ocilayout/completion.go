package main

import (
	"fmt"
	"strings"
)

// completions makes the script of each shell. All complete the command's name, its
// second word if it has one, then flags of the command and global ones, and files for
// everything else.
var completions = map[string]func([]row) string{
	"bash":       bashCompletion,
	"zsh":        zshCompletion,
	"fish":       fishCompletion,
	"powershell": powershellCompletion,
}

// row is what a shell completes at once: a command, or those of two words with the
// same first, with the flags of all.
type row struct {
	*command
	seconds []string // the second words, if there are
}

// families is the table with commands of two words put together by their first.
func families(table []*command) []row {
	var rows []row
	at := map[string]int{}
	for _, c := range table {
		family, second, ok := strings.Cut(c.name, " ")
		n, known := at[family]
		switch {
		case !ok:
			rows = append(rows, row{command: c})
			continue
		case !known:
			at[family] = len(rows)
			rows = append(rows, row{&command{name: family, short: second + ": " + c.short, flags: c.flags}, []string{second}})
			continue
		}
		r := &rows[n]
		r.seconds = append(r.seconds, second)
		r.short += "; " + second + ": " + c.short
		flags := spellings(r.flags)
		for _, f := range c.flags {
			if _, ok := flags[f.Names()[0]]; !ok {
				r.flags = append(r.flags[:len(r.flags):len(r.flags)], f)
			}
		}
	}
	return rows
}

// flagWords are the long flags of c and the global ones; of no command if nil.
func flagWords(c *command) string {
	docs := describeFlags(new(env).globalFlags())
	if c != nil {
		docs = append(describeFlags(c.flags), docs...)
	}
	words := make([]string, len(docs))
	for i, d := range docs {
		words[i] = "--" + d.long
	}
	return strings.Join(words, " ")
}

func commandWords(table []row) string {
	words := make([]string, len(table))
	for i, c := range table {
		words[i] = c.name
	}
	return strings.Join(words, " ")
}

func bashCompletion(table []row) string {
	var b strings.Builder
	b.WriteString("# bash completion of ocilayout\n_ocilayout() {\n")
	b.WriteString("  local current=${COMP_WORDS[COMP_CWORD]} command= second= seconds= word words\n")
	b.WriteString("  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n")
	b.WriteString("    if [[ -n $command && $word != -* ]]; then second=$word; break; fi\n    case $word in\n")
	fmt.Fprintf(&b, "    %s) [[ -n $command ]] || command=$word ;;\n    esac\n  done\n", strings.ReplaceAll(commandWords(table), " ", "|"))
	b.WriteString("  case $command in\n")
	for _, c := range table {
		fmt.Fprintf(&b, "  %s) words='%s'", c.name, flagWords(c.command))
		if len(c.seconds) > 0 {
			fmt.Fprintf(&b, " seconds='%s'", strings.Join(c.seconds, " "))
		}
		b.WriteString(" ;;\n")
	}
	fmt.Fprintf(&b, "  *) words='%s %s' ;;\n  esac\n", commandWords(table), flagWords(nil))
	b.WriteString("  COMPREPLY=()\n  if [[ -n $seconds && -z $second && $current != -* ]]; then\n")
	b.WriteString("    mapfile -t COMPREPLY < <(compgen -W \"$seconds\" -- \"$current\")\n  elif [[ -z $command || $current == -* ]]; then\n")
	b.WriteString("    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n  fi\n}\n")
	b.WriteString("complete -o default -F _ocilayout ocilayout\n")
	return b.String()
}

func zshCompletion(table []row) string {
	var b strings.Builder
	b.WriteString("#compdef ocilayout\n# zsh completion of ocilayout\n_ocilayout() {\n")
	b.WriteString("  local command= second= word\n  for word in ${words[2,CURRENT-1]}; do\n")
	b.WriteString("    if [[ -n $command && $word != -* ]]; then second=$word; break; fi\n    case $word in\n")
	fmt.Fprintf(&b, "    %s) [[ -n $command ]] || command=$word ;;\n    esac\n  done\n", strings.ReplaceAll(commandWords(table), " ", "|"))
	b.WriteString("  if [[ -z $second && $PREFIX != -* ]]; then\n    case $command in\n")
	for _, c := range table {
		if len(c.seconds) > 0 {
			fmt.Fprintf(&b, "    %s) compadd -- %s; return ;;\n", c.name, strings.Join(c.seconds, " "))
		}
	}
	b.WriteString("    esac\n  fi\n")
	b.WriteString("  if [[ -n $command && $PREFIX != -* ]]; then\n    _files\n    return\n  fi\n  case $command in\n")
	for _, c := range table {
		fmt.Fprintf(&b, "  %s) compadd -- %s ;;\n", c.name, flagWords(c.command))
	}
	fmt.Fprintf(&b, "  *)\n    local -a commands=(\n")
	for _, c := range table {
		fmt.Fprintf(&b, "      '%s:%s'\n", c.name, strings.ReplaceAll(c.short, "'", `'\''`))
	}
	fmt.Fprintf(&b, "    )\n    _describe command commands\n    compadd -- %s ;;\n  esac\n}\n", flagWords(nil))
	b.WriteString("if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  _ocilayout \"$@\"\nelse\n  compdef _ocilayout ocilayout\nfi\n")
	return b.String()
}

func fishCompletion(table []row) string {
	var b strings.Builder
	b.WriteString("# fish completion of ocilayout\n")
	line := func(condition string, d flagDoc) {
		fmt.Fprintf(&b, "complete -c ocilayout%s -l %s", condition, d.long)
		if d.short != "" {
			b.WriteString(" -s " + d.short)
		}
		if d.value != "" {
			b.WriteString(" -r")
		}
		b.WriteString(" -d " + fishQuote(d.usage) + "\n")
	}
	for _, d := range describeFlags(new(env).globalFlags()) {
		line("", d)
	}
	for _, c := range table {
		fmt.Fprintf(&b, "complete -c ocilayout -n __fish_use_subcommand -f -a %s -d %s\n", c.name, fishQuote(c.short))
		if len(c.seconds) > 0 {
			words := strings.Join(c.seconds, " ")
			fmt.Fprintf(&b, "complete -c ocilayout -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from %s' -f -a '%s'\n", c.name, words, words)
		}
		for _, d := range describeFlags(c.flags) {
			line(" -n '__fish_seen_subcommand_from "+c.name+"'", d)
		}
	}
	return b.String()
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

func powershellCompletion(table []row) string {
	var b strings.Builder
	b.WriteString("# PowerShell completion of ocilayout\n")
	b.WriteString("Register-ArgumentCompleter -Native -CommandName ocilayout -ScriptBlock {\n")
	b.WriteString("  param($word, $ast, $position)\n  $flags = @{\n")
	for _, c := range table {
		fmt.Fprintf(&b, "    '%s' = '%s'\n", c.name, flagWords(c.command))
	}
	b.WriteString("  }\n  $seconds = @{\n")
	for _, c := range table {
		if len(c.seconds) > 0 {
			fmt.Fprintf(&b, "    '%s' = '%s'\n", c.name, strings.Join(c.seconds, " "))
		}
	}
	fmt.Fprintf(&b, "  }\n  $words = '%s %s'\n", commandWords(table), flagWords(nil))
	b.WriteString("  $command = $ast.CommandElements | Select-Object -Skip 1 |\n")
	b.WriteString("    ForEach-Object { $_.ToString() } |\n")
	b.WriteString("    Where-Object { $flags.ContainsKey($_) -and $_ -ne $word } | Select-Object -First 1\n")
	b.WriteString("  if ($command) { $words = $flags[$command] }\n")
	b.WriteString("  if ($command -and $seconds.ContainsKey($command)) {\n")
	b.WriteString("    $second = $ast.CommandElements | ForEach-Object { $_.ToString() } |\n")
	b.WriteString("      Where-Object { $_ -ne $word -and ($seconds[$command] -split ' ') -contains $_ }\n")
	b.WriteString("    if (-not $second) { $words = $seconds[$command] + ' ' + $words }\n  }\n")
	b.WriteString("  $words -split ' ' | Where-Object { $_ -like \"$word*\" } |\n")
	b.WriteString("    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }\n}\n")
	return b.String()
}
