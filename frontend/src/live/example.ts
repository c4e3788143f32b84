// A first message to try from a terminal, with the address of this very broker.

import { computed } from "vue";
import { useConnection } from "@/stores/connection";

export function useExample() {
  const connection = useConnection();
  return computed(() => {
    const broker = connection.status?.broker;
    const address = `-h ${broker?.host ?? "localhost"} -p ${broker?.port ?? 1883}`;
    return `mosquitto_pub ${address} -t hello/world -m "it works"`;
  });
}
