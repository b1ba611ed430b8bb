#compdef shunt
# SPDX-License-Identifier: BSD-2-Clause
# Completion of shunt for zsh. What there is to complete, shunt itself says.

_shunt() {
  local -a commands options
  if (( CURRENT == 2 )); then
    commands=(${(f)"$(${words[1]} --complete 2>/dev/null)"} help)
    compadd -a commands
    return
  fi
  case ${words[CURRENT - 1]} in
  --config | -c | --output | -o | --report | --results | --out | --pcap | -w | --hgrm | --root | \
    --policy | --socket)
    _files
    return
    ;;
  --log-level)
    compadd error warning info debug
    return
    ;;
  esac
  if [[ ${words[CURRENT]} == -* ]]; then
    options=(${(f)"$(${words[1]} --complete ${words[2]} 2>/dev/null)"})
    compadd -a options
    return
  fi
  case ${words[2]} in
  help)
    commands=(${(f)"$(${words[1]} --complete 2>/dev/null)"})
    compadd -a commands
    ;;
  bind | unbind)
    local device
    for device in /sys/bus/pci/devices/*(N:t); do
      [[ $(</sys/bus/pci/devices/$device/class) == 0x02* ]] && compadd -- $device
    done
    ;;
  fabric)
    if (( CURRENT == 3 )); then
      compadd ping bw info stats
    else
      compadd efa:twin
    fi
    ;;
  *)
    local -a interfaces=(/sys/class/net/*(N:t))
    compadd -- ixgbe:twin xdp:${^interfaces}
    _files
    ;;
  esac
}

_shunt "$@"
