import { parsePhrases } from './parse.ts';

/** Spanish lessons. The format is described in parse.ts. */
export const es = parsePhrases(`
@level: principiante | intermedio | avanzado
@title: {topic} | {topic}: lección {number} | Repaso: {topic} | {topic} con {name} | Práctica: {topic}
@welcome: Tema de esta lección: {topic}. Nivel: {level}. | Lección {number}, nivel {level}: {topic}. | Nueva lección: {topic} ({level}).
@praise: ¡Muy bien! | ¡Estupendo! | Exacto. | Casi perfecto. | ¡Qué buena frase! | Ya veo. | Bien, gracias. | ¡Qué buena pronunciación! | ¡Muy bien! {name} necesitó {number} clases para eso. | Bien, te acuerdas de la palabra del {day}.
@hesitation: Mmm… | A ver… | Pues… | ¡Buena pregunta! | Perdón, un momento… | Vale.
@remark: ¿Está bien dicho? | Eso lo aprendí de {name}. | {name} me lo explicó el {day}. | Lo oí una vez en {city}. | Tardé {number} semanas en aprender esta frase. | La practiqué con {name} en {city}. | El {day} todavía cometí {number} errores. | Creo que {name} lo diría de otra manera.
@name: Lucía | Javier | Carmen | Andrés | la señora Muñoz | Begoña | Íñigo | el señor Peña | Sofía | Mateo
@city: Madrid | Sevilla | Bogotá | Málaga | Buenos Aires | Córdoba | Valencia | Lima | San Sebastián | Mérida
@day: lunes | martes | miércoles | jueves | viernes | sábado | domingo
@time: las siete y media | las nueve menos cuarto | las diez en punto | las dos y veinte | las cinco de la tarde | las ocho de la noche
@number: dos | tres | cuatro | cinco | seis | siete | ocho | nueve | diez | once | doce

# Saludo
¡Hola! ¿Cómo estás hoy? >> Estoy bien, gracias. Un poco cansado, porque trabajé hasta {time}.
¡Qué alegría verte otra vez! ¿Qué tal el {day}? >> Muy bien, vi a una amiga en {city}.
¡Bienvenida de nuevo! ¿Empezamos? >> Sí, ya podemos empezar. Tengo {number} minutos antes del autobús.
Hola, ¿hiciste los deberes del {day}? >> Sí, escribí {number} frases, pero tengo dudas con los verbos.

# Aparte
¿Puedes repetirlo un poco más despacio? >> Claro, voy a hablar más despacio.
Di la misma frase en pasado, por favor. >> Ayer hice lo mismo, pero con {name}.
¿Conoces otra palabra para eso? >> No, se me ha olvidado. ¿Me la puede escribir?
Cuidado: se dice «llevo {number} días aquí». >> ¡Ah, sí! Llevo {number} días aquí.
¿Puedes formar una pregunta? >> ¿Haces eso todos los días o solo el {day}?

# Despedida
Eso es todo por hoy. ¡Hasta el {day}! >> Muchas gracias, nos vemos el {day}. ¡Adiós!
Excelente trabajo. Aprende las {number} palabras nuevas, por favor. >> Así lo haré. ¡Gracias por la clase!
¿Seguimos el {day} a {time}? >> Sí, el {day} a {time} me viene perfecto.

# En el restaurante
@dish: la tortilla de patatas | el pescado a la plancha | la sopa de verduras | la ensalada mixta | el arroz con pollo | el cordero asado | las croquetas de jamón
@drink: una copa de vino tinto | un agua con gas | un zumo de naranja | una caña | un café con leche | una limonada
@dessert: el flan de la casa | la tarta de manzana | un helado de vainilla | los churros con chocolate | el arroz con leche
Buenas noches, ¿tienen reserva? >> Sí, una mesa para {number} a {time}, a nombre de {name}.
¿Qué desea comer? >> Para mí, {dish} y {drink}, por favor.
¿Y para beber? >> ¿Me trae {drink}, por favor?
¿Tiene alguna alergia? >> Sí, no puedo comer nueces. ¿Puedo pedir {dish}?
¿Qué tal ha estado la comida? >> Todo estaba riquísimo, sobre todo {dish}.
¿Quieren postre? >> Sí, queremos {dessert} con {number} cucharas.
¿Cómo pides la cuenta con educación? >> ¿Nos trae la cuenta, por favor? Queremos pagar con tarjeta.

# De viaje en tren
@ticket: un billete de ida | un billete de ida y vuelta | un billete de primera clase | un billete de estudiante | un abono de fin de semana
@problem: cancelaron el tren | perdí el transbordo | alguien ocupaba mi asiento | el tren llegó con una hora de retraso | no encontraba el billete
¿Adónde quiere viajar? >> Necesito {ticket} a {city} para el {day} por la mañana.
¿A qué hora sale el próximo tren a {city}? >> Sale a {time} del andén número {number}.
¿Hay que hacer transbordo? >> Sí, hay que cambiar en {city} y esperar {number} minutos.
Cuéntame tu último viaje. >> Viajé a {city} con {name} y {problem}.
¿Prefieres ventanilla o pasillo? >> Ventanilla, porque el paisaje cerca de {city} es precioso.
¿Qué hiciste cuando tuviste un problema? >> Cuando {problem}, pedí ayuda al revisor.
¿Cuánto se tarda en llegar a {city}? >> Se tarda unas {number} horas, si no hay retrasos.

# En la consulta del médico
@pain: dolor de garganta | un dolor de cabeza terrible | dolor de espalda | fiebre alta | mucha tos | dolor de estómago | el tobillo hinchado
@advice: beber más agua | guardar cama | tomar estas pastillas dos veces al día | evitar las comidas pesadas | ponerte hielo | volver la semana que viene
¿Qué le pasa? >> Desde hace {number} días tengo {pain}.
¿Está tomando algún medicamento? >> Solo unas pastillas de la farmacia, porque tengo {pain}.
¿Cuándo empezó? >> Empezó el {day}, después de volver de {city}.
¿Qué diría el médico? >> Si tienes {pain}, debes {advice} y descansar {number} días.
¿Quiere pedir cita? >> Sí, ¿puede ser el {day} a {time}?
¿Necesita un justificante para el trabajo? >> Sí, por favor, porque no puedo trabajar hasta el {day}.
¿Qué le aconsejas a un amigo? >> Si tienes {pain}, tienes que {advice}.

# La familia y los amigos
@relative: mi hermana mayor | mi abuelo | mi prima | mi hermano pequeño | mi tía | mi mejor amigo | mi suegra | mi sobrina
@trait: muy paciente | bastante alegre | inteligente y amable | algo impaciente | muy responsable | a veces pesimista
Háblame de alguien de tu familia. >> Quiero hablar de {relative}, una persona {trait}.
¿Cuántos sois en tu familia? >> Somos {number}, y casi todos vivimos en {city}.
¿A quién te pareces? >> Todo el mundo dice que me parezco a {relative}.
¿Qué hacéis los fines de semana? >> El {day} solemos comer con {relative} a {time}.
¿Cómo conociste a tu mejor amiga? >> Nos conocimos en {city} hace {number} años, en un curso de idiomas.
¿Cómo te describiría {name}? >> Creo que diría que soy una persona {trait}.
¿A quién llamas si necesitas ayuda? >> Llamo a {relative}, porque nos entendemos muy bien.

# Buscar piso
@room: una cocina luminosa | dos dormitorios | un balcón | un salón grande | un pequeño jardín | un baño nuevo | sitio para la bicicleta
@fault: la calefacción no funciona | los vecinos hacen mucho ruido | la ventana está rota | el ascensor está averiado | el alquiler es demasiado alto
¿Qué tipo de piso buscas? >> Busco un piso en {city} con {room}.
¿Cuánto puedes pagar de alquiler? >> Con calefacción, no más de lo que pago ahora en {city}.
¿Qué le preguntas primero al dueño? >> Le pregunto si tiene {room} y cuándo puedo mudarme.
¿Qué problema tiene tu piso actual? >> Me quiero ir porque {fault}.
¿Cuándo podrías ver el piso? >> Podría ir el {day} a {time}, junto con {name}.
¿Cómo te quejarías con educación? >> Perdone, le llamo porque {fault}. ¿Podría mandar a alguien?
Describe tu casa ideal. >> Mi casa ideal tiene {room} y está cerca de {city}.

# El trabajo y las entrevistas
@job: enfermera | programador | contable | profesora | conductor de autobús | dependienta | ingeniero | periodista
@strength: aprendo rápido | me gusta trabajar en equipo | hablo tres idiomas | mantengo la calma bajo presión | soy una persona organizada
¿A qué te dedicas? >> Trabajo como {job} en una pequeña empresa de {city}.
¿Por qué le interesa este puesto? >> Porque llevo {number} años como {job} y busco un nuevo reto.
¿Cuáles son sus puntos fuertes? >> Yo diría que {strength}.
Describe un día normal de trabajo. >> Empiezo a {time}, y el {day} tengo una reunión con {name}.
¿Dónde te ves dentro de {number} años? >> Espero trabajar como {job} con más responsabilidad, quizás en {city}.
¿Has trabajado alguna vez en el extranjero? >> Sí, trabajé {number} meses en {city} como {job}.
¿Qué diría tu jefa de ti? >> Mi jefa diría que {strength}, y tiene razón.

# De compras
@item: un abrigo de invierno | unos zapatos negros | una camisa azul | un impermeable | un jersey de lana | un bolso de cuero | unos vaqueros | un pañuelo de seda
@reason: me queda demasiado estrecho | no me gusta el color | tiene un agujero | me equivoqué de talla | he cambiado de opinión
¿Puedo ayudarle en algo? >> Sí, busco {item} para {name}.
¿Qué talla necesita? >> Creo que la mediana. ¿Puedo probarme {item}?
¿Le queda bien? >> No mucho: {reason}. ¿Tiene otro modelo?
¿Quiere devolver algo? >> Sí, compré {item} el {day}, pero {reason}.
¿Dónde compras la ropa? >> Hay una tienda pequeña en {city} donde encontré {item}.
¿Cómo pides un descuento? >> Si compro {number}, ¿me hace un precio mejor?
¿Qué compraste la semana pasada? >> Compré {item}, porque por la noche ya hace frío.

# El tiempo y las estaciones
@weather: llovía a cántaros | salió el sol | hacía un frío tremendo | había una niebla muy espesa | empezó una tormenta | nevó toda la noche
@plan: dar un paseo largo | hacer un pícnic | quedarnos en casa leyendo | visitar el museo | bañarnos en el mar | montar en bicicleta
¿Qué tiempo hace en {city}? >> El {day} {weather}, pero hoy hace bueno.
¿Cuál es tu estación favorita? >> Me gusta más el otoño, porque podemos {plan}.
¿Qué haces cuando llueve? >> Cuando llueve en {city}, solemos {plan}.
Cuéntame un día de mal tiempo. >> Volvía a casa con {name} cuando {weather}.
¿Qué planes tienes para el {day}? >> Si hace buen tiempo, vamos a {plan}.
¿El clima de tu país es diferente? >> Sí, en verano hace mucho más calor que en {city}.
¿Qué dice el pronóstico? >> Dice que tendremos {number} grados y algo de viento.

# Preguntar por una dirección
@place: el ayuntamiento | la farmacia más cercana | la estación central | la oficina de correos | el museo de arte | la piscina | la biblioteca
@turn: gire a la izquierda en el semáforo | siga todo recto | tome la segunda calle a la derecha | cruce la plaza | pase por delante de la iglesia
Perdone, ¿dónde está {place}? >> Mire, {turn} y llegará en {number} minutos.
¿Está lejos {place}? >> No, está a solo {number} minutos a pie.
¿Qué autobús pasa por {place}? >> Tome el número {number} y pregunte al conductor por {place}.
¿Dónde quedamos el {day}? >> Podemos quedar a {time}. ¿Sabes dónde está {place}?
¿Qué dices si te has perdido? >> Perdone, me he perdido. Estoy buscando {place}.
Explícale a {name} el camino. >> Primero {turn}, y luego verá {place}.
¿Vas a pie o en metro? >> Voy a pie, porque desde mi casa se ve {place}.

# El tiempo libre
@hobby: tocar la guitarra | pintar paisajes | correr por el parque | hacer pan en casa | bailar salsa | ver películas antiguas | cultivar tomates | jugar al ajedrez
@feeling: me ayuda a relajarme | conozco a gente interesante | me hace feliz | por fin voy mejorando | a mis hijos también les gusta
¿Qué haces en tu tiempo libre? >> Me gusta {hobby}, porque {feeling}.
¿Con qué frecuencia lo haces? >> Unas {number} veces al mes, normalmente el {day}.
¿Cuándo empezaste? >> Empecé a {hobby} hace {number} años, cuando vivía en {city}.
¿Con quién lo haces? >> Con {name}. Quedamos cada {day} a {time}.
¿Qué te gustaría probar? >> Siempre he querido aprender a {hobby}.
¿Se lo recomendarías a un amigo? >> Sí, a {name} también le encanta {hobby}.
¿Por qué es importante para ti? >> Por muchas razones, pero sobre todo porque {feeling}.
`);
