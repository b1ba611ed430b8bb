# SPDX-License-Identifier: BSD-2-Clause
# Completion of shunt for bash. What there is to complete, shunt itself says.

_shunt() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --complete 2>/dev/null) \
      help --help --version" -- "$word")
    return
  fi
  case $before in
  --config | -c | --output | -o | --report | --results | --out | --pcap | -w | --hgrm | --root | \
    --policy | --socket)
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
    ;;
  --log-level)
    mapfile -t COMPREPLY < <(compgen -W "error warning info debug" -- "$word")
    return
    ;;
  esac
  case $command:$word in
  help:*)
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --complete 2>/dev/null)" -- "$word")
    ;;
  *:-*)
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --complete "$command" 2>/dev/null)" \
      -- "$word")
    ;;
  bind:* | unbind:*)
    mapfile -t COMPREPLY < <(compgen -W "$(_shunt_cards)" -- "$word")
    ;;
  fabric:*)
    local what=efa:twin
    ((COMP_CWORD == 2)) && what="ping bw info stats"
    mapfile -t COMPREPLY < <(compgen -W "$what" -- "$word")
    ;;
  *)
    mapfile -t COMPREPLY < <(compgen -f -W "ixgbe:twin" -- "$word")
    ;;
  esac
}

# PCI addresses of network functions: class 0x02.... Colons break words in bash (COMP_WORDBREAKS),
# so only what stands behind the last one is offered once one was typed.
_shunt_cards() {
  local device class typed=${COMP_LINE:0:COMP_POINT} root=${SHUNT_COMPLETE_ROOT-}
  typed=${typed##* }
  for device in "$root"/sys/bus/pci/devices/*; do
    class=$(cat "$device/class" 2>/dev/null)
    device=${device##*/}
    [[ $class == 0x02* && $device == "$typed"* ]] || continue
    if [[ $typed == *:* ]]; then
      device=${device#"${typed%:*}:"}
    fi
    printf '%s\n' "$device"
  done
}

complete -F _shunt shunt
